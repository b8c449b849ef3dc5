"""The error for what a user did wrong; the environments raise it as well."""

from prefrl_envs.errors import PrefrlError

__all__ = ["PrefrlError"]
