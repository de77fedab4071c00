#!/bin/bash
# properties = {properties}
# SLURM tells the whole job to end, this shell included. It stays until the stage has written its
# checkpoint; a shell that dies takes the stage with it.
trap : TERM
{exec_job}
