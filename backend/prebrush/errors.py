"""Every error prebrush raises on purpose.

::

    PrebrushError            on the command line: one line on stderr, exit 1
      ConfigError            our own settings are wrong: start is refused, exit 2
      RequestError           the caller can mend it
        InvalidBody          the request body is not what the route takes
        InvalidLabelConfig   the labeling config cannot be served
        InvalidPrompt        a click, box or scribble makes no sense
        UnknownMethod        no segmentation method has that name
        InvalidParams        a knob is unknown, of the wrong type or out of range
        NotAuthorized        the caller did not show the right credentials
        Forbidden            the call comes from where none is answered, such as a foreign web page
      Overloaded             more work is waiting than this server takes
      Abandoned              nobody waits for the answer any more
      ImageError             the image of one task
        ImageNotFound        nothing is there
        ImageForbidden       Label Studio, the host or our own allow-list says no
        ImageTooLarge        over the limit on bytes or pixels
        ImageUnreadable      not an image that can be decoded
        ImageUnreachable     the host does not answer, or not in time
      DatasetError           what is to be evaluated has no images with ground truth, or they do not fit
      StudioError            Label Studio's own API does not answer as it should
        StudioAway           it does not answer at all, or says that it cannot now; asking again may help
          Unanswered         no answer came; what was sent may have arrived
      StorageError           the storage is away; the predictor goes on without it
      SegmentationError      a method broke its contract

Classes carry no HTTP status: that table is in ``web/failures.py``. A message names the thing, what was found, what was
expected and what to do; it never holds a token, a password or a whole body.
"""


class PrebrushError(Exception):
    """Base of every error prebrush raises on purpose."""


class ConfigError(PrebrushError):
    """The settings of this server are wrong."""


class RequestError(PrebrushError):
    """The caller sent something that only the caller can mend."""


class InvalidBody(RequestError):
    """The request body is not what the route takes."""


class InvalidLabelConfig(RequestError):
    """The labeling config cannot be served."""


class InvalidPrompt(RequestError):
    """A click, box or scribble makes no sense."""


class UnknownMethod(RequestError):
    """No segmentation method has that name."""


class InvalidParams(RequestError):
    """A knob is unknown, of the wrong type or out of range."""


class NotAuthorized(RequestError):
    """The caller did not show the right credentials."""


class Forbidden(RequestError):
    """The call comes from where none is answered, such as a foreign web page."""


class Overloaded(PrebrushError):
    """More work is waiting than this server takes."""


class Abandoned(PrebrushError):
    """Nobody waits for the answer any more: the client hung up, or its time is over."""


class ImageError(PrebrushError):
    """The image of one task cannot be had; the other tasks are not affected."""


class ImageNotFound(ImageError):
    """Nothing is at the image's address."""


class ImageForbidden(ImageError):
    """Label Studio, the host or our own allow-list refuses the image."""


class ImageTooLarge(ImageError):
    """The image is over the limit on bytes or pixels."""


class ImageUnreadable(ImageError):
    """The bytes are not an image that can be decoded."""


class ImageUnreachable(ImageError):
    """The image's host does not answer, or not in time."""


class DatasetError(PrebrushError):
    """A data set cannot be read: no images with ground truth, or they do not fit each other."""


class StudioError(PrebrushError):
    """Label Studio's own API does not answer as it should."""


class StudioAway(StudioError):
    """Label Studio does not answer, or not now; asking again may help."""


class Unanswered(StudioAway):
    """No answer came; what was sent may have arrived, or be under way."""


class StorageError(PrebrushError):
    """The storage does not answer; predictions go on without it."""


class SegmentationError(PrebrushError):
    """A segmentation method broke its contract."""
