"""One file for each format: its options, its writer, its counter, its losses and its reader.

``cells`` turns a column into text for every text format; ``batches`` cuts rows into even pieces
and encodes them on several threads in order.
"""
