"""Optimiser steps by hand: many in each call of Lightning's loop, with or without autograd."""
