from importlib.util import find_spec

# Modifiers of PyTorch are tested where it is installed; all else without it, too.
collect_ignore = (
    [] if find_spec('torch') else ['test_onnx_modifier.py', 'test_torch_modifier.py']
)
