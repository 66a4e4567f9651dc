/// What `lateen-control autoscaler --help` says about the input and output of a replay.
enum ReplayHelp {
    static let text = """
        REPLAY: one document in YAML or JSON, or JSON lines (one object per line: settings first, then one observation
        per line). A full example:

          annotations:                      # autoscaling.knative.dev/…, both spellings; the prefix may be left out
            autoscaling.knative.dev/target: "10"
            max-scale: "20"
          config:                           # keys of the ConfigMap config-autoscaler
            stable-window: 60s
            target-burst-capacity: "0"
          containerConcurrency: 0           # of the revision; 0: no limit
          reachable: true                   # whether a route leads to it
          tick: 2s                          # how often a decision is made
          until: 150                        # go on to this second; by default to the last observation
          observations:
          - {t: 0, concurrency: 0, readyPods: 0}
          - {t: 5, concurrency: 3}
          - {t: 8, concurrency: 40, readyPods: 1}
          - {t: 12, perPod: [9.5, 11, 10], readyPods: 3}
          - {t: 20, perPod: [{pod: a, concurrency: 4, proxied: 1, rps: 12}, {pod: b, concurrency: 2}]}
          - {t: 30, concurrency: 0}
          - {t: 90, readyPods: 1, concurrency: 0}

        The same as JSON lines:

          {"annotations": {"target": "10", "max-scale": "20"}, "config": {"target-burst-capacity": "0"}, "until": 150}
          {"t": 0, "concurrency": 0, "readyPods": 0}
          {"t": 5, "concurrency": 3}

        An observation has
          t            seconds since the start (or a duration, or a time of the clock, counted from the first); rising
          concurrency  requests in flight in all pods together
          proxied      the part of them that an activator has reported itself; it is subtracted
          rps          requests per second in all pods together, for metric rps; proxiedRps is subtracted
          perPod       instead: what each pod or activator reports; the reports of one second are added up
          readyPods    pods that are ready; stands until it changes. If it never comes, pods follow the decisions and
                       are ready after podStart (a setting, default 0s)
          reachable    false: no route leads here any more; stands until it changes
          silent       true: from here on nothing is reported
        An observation stands until the next one, the last until the end. With `gaps: zero` each stands for its own second
        only, as a single report on the wire does; nothing is reported in the others.
        Before the first observation the revision was scaled to zero if that has readyPods 0, was running if it has
        more, and is new if it says nothing; `start: new`, `running` or `zero` says it outright.

        Settings may stand at the top of the document as well: target: 10, stable-window: 60s, max-scale-up-rate: 10.
        Annotations: class, metric, target, target-utilization-percentage, target-burst-capacity, window,
        panic-window-percentage, panic-threshold-percentage, metric-aggregation-algorithm, min-scale, max-scale,
        initial-scale, activation-scale, scale-down-delay, scale-to-zero-pod-retention-period.

        OUTPUT: one row per tick, and one more when a report wakes a revision that was at zero ("poked").
          STABLE, PANIC  averages over the stable and the panic window
          MODE           stable, or panic: many more pods wanted than ready, none is taken away
          WANTED         pods that the averages ask for, within the rates of scaling up and down
          DESIRED        the same within minimum and maximum, and held at 1 until the revision has been active for a
                         stable window; 0: no traffic
          SCALE          what the Deployment is set to: the last pod goes after grace period and pod retention
          EBC            excess burst capacity: room for a burst that is left; below 0 the activator is in the path
          PATH           activator: requests go through it; direct: they do not
          REASON         why, in words
        A window that is not full is averaged over the seconds that it has. `--output json` gives the same as one
        object: settings as they were understood, and decisions.
        """
}
