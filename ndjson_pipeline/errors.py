"""Errors of the code location and the command line."""


class PipelineError(Exception):
    """Something that the pipeline can name and an operator can act on."""


class SettingsError(PipelineError):
    """A setting makes no sense."""


class RecordFormatError(PipelineError):
    """An item of the tracking table has not the shape of a manifest's record."""


class RecordContentionError(PipelineError):
    """The table could not be read or written in time; the work is to be done again."""


class StaleHolderError(PipelineError):
    """A run tried to change a record that another attempt holds by now."""


class GlueRunError(PipelineError):
    """A Glue run could not be started, watched or brought to an end."""


class GlueStartRefusedError(GlueRunError):
    """Glue started no run, and said so."""


class GlueStartUnclearError(GlueRunError):
    """Glue may have started a run: its answer was lost, and its list does not show one (yet)."""


class GlueRunLostError(GlueRunError):
    """Glue does not know a run that was started."""


class GlueBusyError(GlueRunError):
    """Glue would not say how a run is; it is worth asking again."""


class GlueDeadlineError(GlueRunError):
    """A Glue run took longer than allowed and was stopped."""


class ReportFormatError(PipelineError):
    """A report has not the shape that its writer promises."""


class SweeperError(PipelineError):
    """The sweeper could not do what it was asked."""
