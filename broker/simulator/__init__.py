"""A simulated broker to test against: a real HTTP server that speaks a broker's wire and misbehaves on request.

It speaks the Noren wire, or that of Kite Connect (`--wire kite`), over the same exchange and with the same faults.

`python -m broker.simulator --help` says how to start it. `service.Simulator` is the same broker inside a process.
It stands at the broker's end of the wire, so it promises no more than the real one:

- It echoes `remarks` (Kite: `tag`), and two orders with the same one are two orders.
- It refuses market orders, as the real ones do, unless it is started with `--market-orders`.
"""
