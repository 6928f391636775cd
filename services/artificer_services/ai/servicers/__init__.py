"""The servicers of the AI services: they map protos to the rooms beside them and decide nothing."""
