"""Pictures of relevance: colours, images, tables, texts and time series."""
