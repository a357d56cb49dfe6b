"""Guards: what stands in the traffic, asks the service about an account, and acts on the answer.

`guard` asks and decides what to do; `asgi` is a middleware and `litellm` a plug-in for a LiteLLM proxy. Envoy asks the
service itself (`service.envoy`). Nothing here imports what detects: a gateway loads httpx and no more.
"""
