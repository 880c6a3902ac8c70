"""The words of a command line: flags, presets, data, files of settings, help."""
