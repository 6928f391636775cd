"""The statements of the store, by what they are for. Each function runs in a transaction that its caller opens."""
