"""A look at the model before it learns."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmanon.registry import HOOKS

__all__ = ['ValidateFirstHook']


@HOOKS.register_module()
class ValidateFirstHook(Hook):
    """Validates before the first iteration.

    So the best checkpoint of a training that starts from trained weights is never worse
    than these, by its own validation: mmengine's ``CheckpointHook(save_best=...)`` and
    ``EarlyStoppingHook`` count from there. A resumed training has had it.
    """

    # After the hook that keeps the best checkpoint has been made ready.
    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Validate once.

        Raises:
            ValueError: When there is nothing to validate with.
        """
        if runner.val_loop is None:
            raise ValueError(
                'the ValidateFirstHook needs val_dataloader, val_cfg and val_evaluator'
            )
        if runner.iter == 0:
            runner.val_loop.run()
