"""The emit stage of the ahead-of-time runtime: `Plan` → C."""
