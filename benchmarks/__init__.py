"""This library beside its peers, interleaved in one run; see `report`."""
