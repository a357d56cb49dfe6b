"""The live service: events in, decisions at the gateway (docs/service.md).

    Setup(walk, policy, keys) -> Live (processes, store, decisions) -> create_app(live) -> serve(setup, address)

A body becomes a parcel of sketches (`reading`), durable in the store (`commit`, `store`) before it is acknowledged.
A look (`looking`) merges parcels into the state and judges everything; between looks the fast path (`fast`) recognises
accounts by what accused operators are known by (`recognise`). `deciding` holds what is decided, `app` answers.
"""
