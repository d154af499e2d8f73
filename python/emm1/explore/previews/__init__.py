"""Small pictures of media: thumbnails of images and videos, waveforms of audio."""
