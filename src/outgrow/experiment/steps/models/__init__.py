"""The steps of models: features and heads, finetuned and prompted models, a user's own."""
