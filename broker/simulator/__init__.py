"""A simulated broker to test against: a real HTTP server that speaks the Noren wire and misbehaves on request.

`python -m broker.simulator --help` says how to start it. `service.Simulator` is the same broker inside a process.
It stands at the broker's end of the wire, so it promises no more than the real one:

- It echoes `remarks`, and two `PlaceOrder` with the same `remarks` are two orders.
- It refuses market orders, as the real ones do, unless it is started with `--market-orders`.
"""
