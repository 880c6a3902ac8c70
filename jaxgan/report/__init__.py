"""Everything that is drawn for people: pages, tables, pictures."""

from jaxgan.common.packages import modules_of

__getattr__ = modules_of(__name__)
