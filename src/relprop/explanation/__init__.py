"""From a request to an explanation: the `Explainer` and its private parts."""
