"""Everything that is drawn for people: pages, tables, pictures."""
