"""A run's folder: the only room that knows the names of the files in it. Loads neither torch nor SB3."""

from prefrl.runs.folder import RunFolder as RunFolder
