"""What the tests share: real wheels, a real package index, a new user's world.

- `wheels`: wheels built by hand, and the family of demo tools that count their own starts
- `index`: a package index as a process of its own, with faults that are set at run time
- `sandbox`: HOME, caches, PATH and environment of a user who has nothing yet
- `interpreters`: the Python interpreters of this machine, found, never assumed
- `guard`: notices whoever leaves the loopback interface
"""
