"""The live service: events in, decisions at the gateway (docs/service.md).

    Setup(walk, policy, keys) -> Live (processes, store, decisions) -> create_app(live) -> serve(setup, address)

A body becomes a parcel of sketches (`reading`), durable in the store (`commit`, `store`) before it is acknowledged.
A look (`looking`) merges parcels into the state and judges everything; between looks the fast path (`fast`) recognises
accounts by what accused operators are known by (`recognise`). `deciding` holds what is decided, `app` answers.
"""

import os

# read when Arrow is first loaded, here and in every helper: what is free goes back to the system from one allocator
# (`memory.give_back`), while Arrow's own keeps a share for each thread that ever read a table
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
