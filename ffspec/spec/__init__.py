"""What a spec may say: pydantic models, frozen, strict, closed, without torch."""
