"""Loaded by the LiteLLM proxy of `make_litellm.py`: checks made-up keys and writes down what LiteLLM logs."""

import json
import os
from datetime import datetime
from pathlib import Path

from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import UserAPIKeyAuth, hash_token
from litellm.proxy.spend_tracking.spend_tracking_utils import get_logging_payload

OUT = Path(os.environ["GOLDEN_OUT"])


async def authenticate(request, api_key):
    who = api_key.removeprefix("sk-fake-")
    return UserAPIKeyAuth(
        api_key=hash_token(api_key), token=hash_token(api_key), user_id=f"user-{who}", team_id=f"team-{who}",
        org_id="org-made-up" if who == "beta" else None,
    )  # fmt: skip


class Writer(CustomLogger):
    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        payload(kwargs)
        row = get_logging_payload(kwargs, response_obj, start_time, end_time)
        with (OUT / "spend.jsonl").open("a") as out:
            out.write(json.dumps(row, default=lambda v: v.isoformat() if isinstance(v, datetime) else str(v)) + "\n")

    async def async_log_failure_event(self, kwargs, response_obj, start_time, end_time):
        payload(kwargs)  # the proxy writes failures to the spend log by another way


def payload(kwargs):
    with (OUT / "payloads.jsonl").open("a") as out:
        out.write(json.dumps(kwargs["standard_logging_object"], default=str) + "\n")


writer = Writer()
