"""
A counterexample
================

A sentence that is false, the smallest instance against it that an attack finds, and its picture.
"""

import dlnlab


@dlnlab.conjecture("The wide network's nuclear norm never exceeds the compressed one's.")
def nuclear(pair):
    return pair.compressed.singular_values.sum(-1) - pair.original.singular_values.sum(-1)


verdict = nuclear.attack(instances=100, seed=0)
verdict.plot()
