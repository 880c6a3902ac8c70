"""Games that turn images into others: in pairs, and what critics remember of those made before."""
