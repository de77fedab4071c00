"""Errors that a person can act on, each kind with its own exit code.

A stage turns any :class:`TpruError` into its message (no traceback) and its ``exit_code``, so that a
script around the pipeline can tell bad input from a full disk. The README lists the codes.
"""


class TpruError(Exception):
    """Base of every error whose message tells the user what to do."""

    exit_code = 1


class ConfigError(TpruError):
    """A configuration value is unknown, out of range, or contradicts another one."""

    exit_code = 10


class ManifestError(TpruError):
    """An index of a source (manifest, meta folder) is malformed or names a file that is not there."""

    exit_code = 11


class CorruptMediaError(TpruError):
    """A picture or a video cannot be decoded to its end."""

    exit_code = 12


class TooShortError(TpruError):
    """An episode has fewer than two frames: nothing comes before or after anything."""

    exit_code = 13


class EmptySourceError(TpruError):
    """A source, or what is left of it after filtering, holds nothing."""

    exit_code = 14


class SplitError(TpruError):
    """A group stands on both sides of a fixed split, or a split stays empty."""

    exit_code = 15


class BatchError(ConfigError):
    """Batch size, devices and group size do not divide each other."""

    exit_code = 16


class LeakError(TpruError):
    """A frame, episode, group or near-duplicate is on both sides of a split."""

    exit_code = 17


class DiskFullError(TpruError):
    """The disk filled up; finished outputs and checkpoints are untouched."""

    exit_code = 18


class LockedError(TpruError):
    """Another process works on the same stage of the same experiment."""

    exit_code = 19


class UpstreamError(TpruError):
    """An output of an earlier stage is missing or is not what that stage recorded."""

    exit_code = 20


class EndpointError(TpruError):
    """A model behind an endpoint is not named, not reachable, or turns requests away."""

    exit_code = 21


class ShortcutError(TpruError):
    """The items can be answered without understanding them."""

    exit_code = 22


class EngineError(TpruError):
    """The engine that samples completions does not have the weights that train."""

    exit_code = 23


class FetchError(TpruError):
    """Data cannot be fetched: unreachable, closed, or not what was pinned."""

    exit_code = 24


class ProgramError(TpruError):
    """Another program that a stage runs did not do its work."""

    exit_code = 25
