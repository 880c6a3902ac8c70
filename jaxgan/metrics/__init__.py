"""Scores: pure functions of features or images, feature networks, and evaluators that bring them together."""

from jaxgan.metrics.cas import classification_accuracy_score
from jaxgan.metrics.evaluator import ImageEvaluator, make_evaluator
from jaxgan.metrics.reference import load_reference, save_reference
from jaxgan.metrics.score import Evaluation, Evaluator, Score
from jaxgan.metrics.scores.classes import histogram_kl, inception_score
from jaxgan.metrics.scores.diversity import birthday, ndb
from jaxgan.metrics.scores.frechet import frechet_distance, frechet_infinity, intra_class_frechet, moments
from jaxgan.metrics.scores.kernel import gaussian_mmd, kernel_distance
from jaxgan.metrics.scores.mixtures import mode_coverage, stacked_modes
from jaxgan.metrics.scores.neighbours import memorisation, nearest, prdc
from jaxgan.metrics.scores.patches import swd_patches
from jaxgan.metrics.scores.perceptual import perceptual_distance, perceptual_path_length
from jaxgan.metrics.scores.similarity import ms_ssim, ms_ssim_diversity, psnr, ssim
from jaxgan.metrics.scores.sliced import sliced_wasserstein

__all__ = [
    "Evaluation",
    "Evaluator",
    "ImageEvaluator",
    "Score",
    "birthday",
    "classification_accuracy_score",
    "frechet_distance",
    "frechet_infinity",
    "gaussian_mmd",
    "histogram_kl",
    "inception_score",
    "intra_class_frechet",
    "kernel_distance",
    "load_reference",
    "make_evaluator",
    "memorisation",
    "mode_coverage",
    "moments",
    "ms_ssim",
    "ms_ssim_diversity",
    "ndb",
    "nearest",
    "perceptual_distance",
    "perceptual_path_length",
    "prdc",
    "psnr",
    "save_reference",
    "sliced_wasserstein",
    "ssim",
    "stacked_modes",
    "swd_patches",
]
