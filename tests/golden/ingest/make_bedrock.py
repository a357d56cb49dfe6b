"""Makes bedrock.jsonl by hand from the documentation: no Bedrock can be run here. See README.md for the sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OWNER = "111122223333"


def record(
    number: int, operation: str, model: str, given: dict[str, Any], got: dict[str, Any], **more: Any
) -> dict[str, Any]:
    return {
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": f"2026-11-02T09:00:{number:02d}Z",
        "accountId": OWNER, "identity": {"arn": f"arn:aws:sts::{OWNER}:assumed-role/made-up/session-{number % 3}"},
        "region": "us-east-1", "requestId": f"00000000-0000-4000-8000-{number:012d}", "operation": operation,
        "modelId": model,
        "input": {"inputContentType": "application/json", "inputTokenCount": 10 + number, **given},
        "output": {"outputContentType": "application/json", "outputTokenCount": 20 + number, **got},
        **more,
    }  # fmt: skip


RECORDS: list[dict[str, Any]] = [
    record(1, "InvokeModel", "anthropic.claude-fake-v1:0", {"inputBodyJson": {
        "anthropic_version": "bedrock-2023-05-31", "max_tokens": 300, "temperature": 0.5, "top_p": 0.8,
        "system": "You are terse.", "tools": [{"name": "lookup", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "First question"}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "made-up thought", "signature": "c2lnbmF0dXJlLTE="},
                {"type": "tool_use", "id": "toolu_1", "name": "lookup", "input": {"q": "x"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "42"}]},
        ]}},
        {"outputBodyJson": {"role": "assistant", "content": [{"type": "text", "text": "It is 42."}],
                            "stop_reason": "end_turn", "usage": {"input_tokens": 11, "output_tokens": 21}}}),
    record(2, "Converse", "amazon.nova-fake-v1:0", {"inputBodyJson": {
        "system": [{"text": "You are kind."}],
        "messages": [{"role": "user", "content": [{"text": "Hello there"}, {"image": {"format": "png"}}]},
                     {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {
                         "text": "hm", "signature": "c2lnbmF0dXJlLTI="}}},
                         {"toolUse": {"toolUseId": "t1", "name": "clock", "input": {}}}]},
                     {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "noon"}]}}]}],
        "inferenceConfig": {"maxTokens": 512, "temperature": 0.7, "topP": 0.9},
        "toolConfig": {"tools": [{"toolSpec": {"name": "clock"}}]}}, "cacheReadInputTokenCount": 6},
        {"outputBodyJson": {"output": {"message": {"role": "assistant", "content": [{"text": "It is noon."}]}},
                            "stopReason": "end_turn", "metrics": {"latencyMs": 302},
                            "usage": {"inputTokens": 12, "outputTokens": 22, "totalTokens": 34}}}),
    record(3, "InvokeModel", "amazon.titan-fake-v1", {"inputBodyJson": {
        "inputText": "Write a haiku", "textGenerationConfig": {"maxTokenCount": 64, "temperature": 0, "topP": 1}}},
        {"outputBodyJson": {"inputTextTokenCount": 3, "results": [
            {"tokenCount": 9, "outputText": "made-up lines", "completionReason": "FINISH"}]}}),
    record(4, "InvokeModelWithResponseStream", "meta.llama-fake-v1:0", {"inputBodyJson": {
        "prompt": "Say hi", "max_gen_len": 32, "temperature": 0.1, "top_p": 0.9}},
        {"outputBodyJson": [{"generation": "h", "stop_reason": None}, {"generation": "i", "stop_reason": "stop"}]}),
    record(5, "InvokeModelWithResponseStream", "anthropic.claude-fake-v1:0", {"inputBodyJson": {
        "max_tokens": 10, "messages": [{"role": "user", "content": "Stream please"}]}},
        {"outputBodyJson": [
            {"type": "message_start", "message": {"role": "assistant", "content": []}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "strea"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "med"}},
            {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}]}),
    record(6, "ConverseStream", "amazon.nova-fake-v1:0", {
        "inputBodyS3Path": "s3://made-up-bucket/data/6_input.json.gz"},
        {"outputBodyS3Path": "s3://made-up-bucket/data/6_output.json.gz"}, requestMetadata={"tenant": "tenant-7"}),
    record(7, "InvokeModel", "anthropic.claude-fake-v1:0", {"inputBodyJson": {
        "max_tokens": 10, "messages": [{"role": "user", "content": "Too fast"}]}}, {},
        errorCode="ThrottlingException"),
]  # fmt: skip


def main() -> None:
    lines = [json.dumps(entry) for entry in RECORDS]
    # an export from CloudWatch Logs wraps the record
    wrapped = record(8, "Converse", "amazon.nova-fake-v1:0", {"inputBodyJson": {
        "messages": [{"role": "user", "content": [{"text": "Wrapped"}]}]}}, {})  # fmt: skip
    lines.append(json.dumps({"timestamp": 1793610008000, "message": json.dumps(wrapped)}))
    (HERE / "bedrock.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
