"""The experiments by name, in the order of the table. A new one: a module here and a word there."""

NAMES = ("hashing", "transfer", "latency", "many", "crowd", "small", "road", "limits", "reuse",
         "stream", "footprint")
