"""The plugin is tested by pytest itself (``pytester``) too."""

pytest_plugins = ["pytester"]
