"""A broker to test against: a real HTTP server that speaks the Noren wire, and misbehaves when told to.

`python -m broker.simulator --help` says how to start it; `service.Simulator` is the same inside a process.
It stands at the broker's end of the wire, so it promises no more than the real one: `remarks` is echoed, and two
`PlaceOrder` with the same `remarks` are two orders.
It takes no market orders, as the real ones do not, until it is told to (`--market-orders`).
"""
