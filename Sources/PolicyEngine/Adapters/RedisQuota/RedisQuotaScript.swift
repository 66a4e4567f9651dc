/// How quota is taken in Redis: each a script, which the server runs without anything in between.
///
/// `KEYS`: the cell and, if the attempt has a name, the attempt. `ARGV`: the limit, the window, the amount (negative: to
/// give back), 1 if a part will do, for how long attempts are remembered in milliseconds, the bucket. Answer: what was
/// granted, and for how many milliseconds.
enum RedisQuotaScript {
    private static let start = """
        if KEYS[2] then
          local seen = redis.call('GET', KEYS[2])
          if seen then
            local space = string.find(seen, ' ', 1, true)
            return {tonumber(string.sub(seen, 1, space - 1)), tonumber(string.sub(seen, space + 1))}
          end
        end
        local limit, window, amount = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
        local function whole(number) return string.format('%.0f', number) end
        local function part(taken)
          if amount < 0 then return math.max(amount, -taken) end
          if amount <= limit - taken then return amount end
          if ARGV[4] == '1' then return math.max(limit - taken, 0) end
          return 0
        end
        local function answer(granted, left)
          if KEYS[2] then redis.call('SET', KEYS[2], whole(granted) .. ' ' .. whole(left), 'PX', ARGV[5]) end
          return {granted, left}
        end

        """

    /// The window begins with what is taken first and ends for all of it at once. In milliseconds.
    static let fixedWindow =
        Self.start + """
            local granted = part(tonumber(redis.call('GET', KEYS[1]) or '0'))
            if granted ~= 0 then redis.call('INCRBY', KEYS[1], whole(granted)) end
            local left = redis.call('PTTL', KEYS[1])
            if granted ~= 0 and left < 0 then
              redis.call('PEXPIRE', KEYS[1], ARGV[2])
              left = window
            end
            return answer(granted, math.max(left, 0))
            """

    /// What was taken runs out a window later, a bucket at a time and never early. In microseconds, of the server's
    /// clock: engines need not agree on the time.
    static let rollingWindow =
        "if redis.replicate_commands then redis.replicate_commands() end\n" + Self.start + """
            local width = tonumber(ARGV[6])
            local time = redis.call('TIME')
            local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
            local taken, buckets = 0, {}
            local all = redis.call('HGETALL', KEYS[1])
            for i = 1, #all, 2 do
              local number = tonumber(all[i])
              if (number + 1) * width + window <= now then
                redis.call('HDEL', KEYS[1], all[i])
              else
                taken = taken + tonumber(all[i + 1])
                buckets[#buckets + 1] = {number, tonumber(all[i + 1])}
              end
            end
            local granted = part(taken)
            if granted > 0 then
              redis.call('HINCRBY', KEYS[1], whole(math.floor(now / width)), whole(granted))
            elseif granted < 0 then
              table.sort(buckets, function(left, right) return left[1] > right[1] end)
              local rest = -granted
              for _, bucket in ipairs(buckets) do
                local back = math.min(bucket[2], rest)
                if back > 0 then redis.call('HINCRBY', KEYS[1], whole(bucket[1]), whole(-back)) end
                rest = rest - back
              end
            end
            if granted ~= 0 then
              redis.call('PEXPIRE', KEYS[1], whole(math.ceil((window + 2 * width) / 1000)))
            end
            return answer(granted, math.ceil(window / 1000))
            """
}
