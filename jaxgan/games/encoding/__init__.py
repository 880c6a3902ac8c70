"""Games in which a network encodes examples as latents, but for BiGAN and VAE-GAN (`jaxgan.games.encoder_gan`)."""
