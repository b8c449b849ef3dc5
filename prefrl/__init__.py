"""prefrl: teach agents by preferences. Importing it registers the environments and loads no torch."""

import prefrl_envs as prefrl_envs

__version__ = "0.1.0"
