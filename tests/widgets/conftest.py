import warnings

with warnings.catch_warnings():
    # bqscales, which bqplot imports, still sets trait metadata the way that traitlets deprecates.
    warnings.filterwarnings("ignore", message="metadata .* was set from the constructor")
    import bqplot  # noqa: F401
