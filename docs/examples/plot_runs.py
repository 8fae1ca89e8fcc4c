"""
Networks of your own, side by side
==================================

The same problem given to three networks by `dlnlab.experiments.run`: a wide one, a compressed one,
and the compressed one with larger steps of its first and last layer.
"""

import dlnlab
from dlnlab.experiments import Network

problem = dlnlab.factorization(dlnlab.random_target((40, 40), rank=3, rng=0))
wide = dlnlab.original_weights(problem.shape, 3, 0.1, rng=0)
narrow = dlnlab.compressed_weights(problem, 3, 3, 0.1)
networks = {
    "wide": Network(wide, 0.1),
    "compressed": Network(narrow, 0.1),
    "compressed, α = 3": Network(narrow, 0.1, alpha=3.0),
}
runs = dlnlab.experiments.run(problem, networks, num_steps=800, record_every=5)
runs.plot()
