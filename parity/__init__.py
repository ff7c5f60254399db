"""The judge: are two separately trained models the same model?"""
