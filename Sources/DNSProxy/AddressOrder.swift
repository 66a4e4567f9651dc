/// An order of `count` addresses that a number decides, worked out without memory.
///
/// It begins anywhere and goes on in steps that have no divisor in common with the count, so that it comes by each
/// address once: equally often each is the first, and not always the same one follows it.
struct AddressOrder: Sequence, IteratorProtocol {
    private let count: Int
    private let step: Int
    private var current: Int
    private var left: Int

    init(count: Int, _ rotation: UInt32) {
        self.count = count
        self.left = count
        guard count > 1 else {
            self.current = 0
            self.step = 0
            return
        }
        let number = Int(rotation)
        self.current = number % count
        var step = count > 2 ? 1 + number / count % (count - 1) : 1
        while !Self.areCoprime(step, count) { step = step % (count - 1) + 1 }
        self.step = step
    }

    mutating func next() -> Int? {
        guard self.left > 0 else { return nil }
        self.left -= 1
        defer { self.current = (self.current + self.step) % Swift.max(self.count, 1) }
        return self.current
    }

    private static func areCoprime(_ left: Int, _ right: Int) -> Bool {
        var (left, right) = (left, right)
        while right != 0 { (left, right) = (right, left % right) }
        return left == 1
    }
}
