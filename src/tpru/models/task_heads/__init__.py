"""Task tokens and task heads on Qwen2.5-VL (arXiv 2412.19326).

The language model says an indicating token where a moment, a region or a mask is asked for. A learnable task
token is put behind it, and its last hidden state feeds the head of that task.
"""
