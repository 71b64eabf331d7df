"""Model preparation: trains, converts, quantises and judges model packages."""
