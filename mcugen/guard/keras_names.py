"""Names that a Keras file may call on: classes and functions of Keras that compute, and do nothing else.

Left out on purpose: `Lambda` and `TFOpLambda` in general (code, and any function of TensorFlow), `TFSMLayer`,
`JaxLayer`, `FlaxLayer` and `TorchModuleWrapper` (models of others, pickles), `TextVectorization` and the lookups (read
vocabularies from files that the configuration names).
"""

from __future__ import annotations

from mcugen.guard.words import words

LAYERS = words(
    """
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
    AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention AugMix
    AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D AvgPool3D
    BatchNormalization BatchNormalizationV1 BatchNormalizationV2 Bidirectional CategoryEncoding CenterCrop Concatenate
    ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose
    ConvLSTM1D ConvLSTM2D ConvLSTM3D Convolution1D Convolution1DTranspose Convolution2D Convolution2DTranspose
    Convolution3D Convolution3DTranspose Cropping1D Cropping2D Cropping3D CuDNNGRU CuDNNLSTM CutMix Dense
    DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU EinsumDense Embedding Equalization Flatten GRU
    GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    GlobalAvgPool1D GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D GlobalMaxPooling1D
    GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention GroupedQueryAttention HashedCrossing
    Hashing Identity InputLayer InputSpec LSTM LSTMCell LayerNormalization LeakyReLU LocallyConnected1D
    LocallyConnected2D Masking MaxNumBoundingBoxes MaxPool1D MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D
    MaxPooling3D Maximum MelSpectrogram Minimum MixUp MultiHeadAttention Multiply Normalization PReLU Permute Pipeline
    RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast
    RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHeight
    RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness
    RandomShear RandomTranslation RandomWidth RandomZoom ReLU RepeatVector Rescaling Reshape Resizing
    ReversibleEmbedding STFTSpectrogram SeparableConv1D SeparableConv2D SeparableConvolution1D SeparableConvolution2D
    SimpleRNN SimpleRNNCell Softmax Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D
    SpectralNormalization StackedRNNCells Subtract SyncBatchNormalization ThresholdedReLU TimeDistributed
    UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
    """
)
"""Of keras.layers in Keras 3 and Keras 2."""

MODELS = frozenset({"Functional", "Model", "Sequential"})

SETTINGS = words(
    """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal LecunUniform Ones
    Orthogonal OrthogonalInitializer RandomNormal RandomUniform STFT STFTInitializer TruncatedNormal VarianceScaling
    Zeros L1 L1L2 L2 OrthogonalRegularizer MaxNorm MinMaxNorm NonNeg RadialConstraint UnitNorm AWQDTypePolicy
    DTypePolicy DTypePolicyMap FloatDTypePolicy GPTQDTypePolicy Int4DTypePolicy Policy PolicyV1 QuantizedDTypePolicy
    QuantizedFloat8DTypePolicy
    """
)
"""Initializers, regularizers, constraints and dtype policies."""

TRAINING = words(
    """
    Adadelta Adafactor Adagrad Adam AdamW Adamax Ftrl Lamb Lion LossScaleOptimizer Muon Nadam RMSprop SGD CosineDecay
    CosineDecayRestarts ExponentialDecay InverseTimeDecay PiecewiseConstantDecay PolynomialDecay BinaryCrossentropy
    BinaryFocalCrossentropy CategoricalCrossentropy CategoricalFocalCrossentropy CategoricalHinge CosineSimilarity
    Dice Hinge Huber KLDivergence LogCosh MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError
    MeanSquaredLogarithmicError Poisson SparseCategoricalCrossentropy SquaredHinge Tversky AUC Accuracy BinaryAccuracy
    BinaryIoU CategoricalAccuracy F1Score FBetaScore FalseNegatives FalsePositives IoU Mean MeanIoU OneHotIoU
    OneHotMeanIoU Precision PrecisionAtRecall R2Score Recall RecallAtPrecision RootMeanSquaredError
    SensitivityAtSpecificity SparseCategoricalAccuracy SparseTopKCategoricalAccuracy SpecificityAtSensitivity Sum
    TopKCategoricalAccuracy TrueNegatives TruePositives
    """
)
"""Optimizers, schedules, losses and metrics, which a compiled model inside another carries along."""

APPLICATIONS = {
    "CustomScaleLayer": "inception_resnet_v2",
    "LayerScale": "convnext",
    "StochasticDepth": "convnext",
}
"""Layers that networks of keras.applications define for themselves, and the modules that they stand in."""

FUNCTIONS = words(
    """
    celu elu exp exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear
    log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus
    sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold glorot_normal glorot_uniform he_normal
    he_uniform identity lecun_normal lecun_uniform ones orthogonal random_normal random_uniform stft truncated_normal
    variance_scaling zeros l1 l1_l2 l2 orthogonal_regularizer max_norm min_max_norm non_neg unit_norm accuracy
    binary_accuracy binary_crossentropy binary_focal_crossentropy categorical_accuracy categorical_crossentropy
    categorical_hinge cosine_similarity dice hinge huber kl_divergence log_cosh mae mape mean_absolute_error
    mean_absolute_percentage_error mean_squared_error mean_squared_logarithmic_error mse msle poisson
    sparse_categorical_accuracy sparse_categorical_crossentropy sparse_top_k_categorical_accuracy squared_hinge
    top_k_categorical_accuracy tversky
    """
)
"""Activations, and the functions by which initializers, regularizers, constraints, losses and metrics are called."""

OP_MODULES = frozenset(
    f"{package}.{module}"
    for package in ("keras.ops", "keras.src.ops")
    for module in ("core", "einops", "image", "linalg", "math", "nn", "numpy")
) | {"keras.ops"}
"""Where Keras 3 keeps the classes of its ops; each is a pure function of tensors."""

VALUES = frozenset(
    {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__", "__tuple__"}
)
"""Kinds of plain values that Keras spells as objects."""

TENSOR_VALUES = frozenset({"TensorShape"})
"""The same, of TensorFlow."""

OWN = frozenset({"mcugen>FakeQuantize", "mcugen>QuantizedWeights"})
"""Layers of quantization-aware training here, as they are registered with Keras."""

TF_MODULES = frozenset({"__operators__", "math", "nn"})
"""Modules of TensorFlow whose every function computes, as Keras 2 calls them in a TFOpLambda layer."""

TF_FUNCTIONS = words(
    """
    abs add add_n argmax argmin broadcast_to cast clip_by_value concat constant convert_to_tensor cos divide einsum
    equal exp expand_dims eye fill floor gather gather_nd greater greater_equal identity image.central_crop
    image.crop_to_bounding_box image.pad_to_bounding_box image.per_image_standardization image.resize less less_equal
    linalg.diag linalg.l2_normalize linalg.matmul linalg.matrix_transpose linalg.norm linalg.normalize linspace
    logical_and logical_not logical_or matmul maximum minimum multiply negative norm not_equal one_hot ones ones_like
    pad pow range rank reduce_all reduce_any reduce_max reduce_mean reduce_min reduce_prod reduce_sum repeat reshape
    reverse roll round shape sigmoid sign sin size slice sort split sqrt square squeeze stack stop_gradient
    strided_slice subtract tan tanh tensordot tile transpose truediv unstack where zeros zeros_like
    """
)
"""Single functions of TensorFlow that compute."""
