# The same from modified faces alone: it links them to each other, and has never seen
# an original.
_base_ = './scratch_validated.py'

model = dict(learn_originals=False)
val_evaluator = dict(matchings=['modified_modified'])
