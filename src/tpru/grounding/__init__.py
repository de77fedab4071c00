"""Dense supervision (arXiv 2412.19326): when something happens, where it is, which pixels are its own.

``GroundingItem`` (:mod:`.records`) is the one record of all three tasks. Items come from the simulators,
which know every box, mask and moment, or from public datasets in their own formats.
"""
