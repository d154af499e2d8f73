"""Models that turn captions and media files into vectors: what an encoder is, how one is found, and those that emm1 brings.

An encoder is any object like `Encoder`. A package offers one under a name by an entry point of the group ``emm1.encoders``,
which is called with what follows the name and a colon, or None, and returns the encoder::

    [project.entry-points."emm1.encoders"]
    ours = "ours.model:load"

Then ``ours`` and ``ours:large`` name it.
"""

from emm1.encoders.named import Encoder, encoder_named, encoder_names

__all__ = ["Encoder", "encoder_named", "encoder_names"]
