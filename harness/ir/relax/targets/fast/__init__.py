"""The fast pipeline: compile and run tiny modules on a CPU without TVM's virtual machine."""
