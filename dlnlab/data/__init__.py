"""Data: matrices from files of many kinds, and labelled images.

`read` takes a matrix from a file in any common format.

The images are to train classifiers on: read strictly from their owners' files, never shipped.
`fashion_mnist`, `mnist` and `cifar10` take the files that you have, or download them with their
checksums; `digits` needs scikit-learn only.
"""

from dlnlab.data.cifar import cifar10
from dlnlab.data.digits import digits
from dlnlab.data.idx import fashion_mnist, mnist
from dlnlab.data.images import Images, ImageSet
from dlnlab.data.tables import Table, read

__all__ = ["ImageSet", "Images", "Table", "cifar10", "digits", "fashion_mnist", "mnist", "read"]
