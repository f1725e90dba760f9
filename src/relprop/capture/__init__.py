"""From a torch module to a verified graph: `model.capture_model` runs the other files in order.

isolated_copy, bound_model      what torch.export is given
export, functionalize           what it makes of that, without in-place operations
from_export, split_qkv          the graph
eval_mode, verify, batch_axes   is it the model, for every sample by itself? (samples, tolerance)
"""
