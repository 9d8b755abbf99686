"""Ops of TensorFlow graphs that TensorFlow Lite's converter could take, or folds away before: they compute, no more.

No op that reads or writes files, runs Python, prints, talks to a network or to another device is among them.
"""

from __future__ import annotations

from mcugen.guard.words import words

COMPUTES = words(
    """
    Abs Acos Acosh Add AddN AddV2 All AdjustContrastv2 Any ApproximateEqual ArgMax ArgMin Asin Asinh Assert Atan Atan2
    Atanh AvgPool AvgPool3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchNormWithGlobalNormalization BatchToSpace
    BatchToSpaceND BiasAdd BiasAddV1 Bincount Bitcast BitwiseAnd BitwiseOr BitwiseXor BroadcastArgs BroadcastTo
    BroadcastGradientArgs Bucketize Cast Ceil CheckNumerics ClipByValue CombinedNonMaxSuppression Complex ComplexAbs
    Concat ConcatOffset ConcatV2 Conj Const Conv2D Conv2DBackpropInput Conv3D Conv3DBackpropInputV2 Cos Cosh
    CropAndResize Cross CudnnRNN CudnnRNNV2 CudnnRNNV3 CudnnRNNBackprop CudnnRNNBackpropV2 CudnnRNNBackpropV3 Cumprod
    Cumsum CumulativeLogsumexp DenseBincount DepthToSpace DepthwiseConv2dNative Dequantize Diag DiagPart Dilation2D
    Div DivNoNan DynamicPartition DynamicStitch Einsum Elu Empty EmptyTensorList EnsureShape Equal Erf Erfc Erfinv Exp
    ExpandDims Expm1 ExtractImagePatches FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars
    FakeQuantWithMinMaxVarsPerChannel FFT FFT2D Fill Floor FloorDiv FloorMod FusedBatchNorm FusedBatchNormV2
    FusedBatchNormV3 Gather GatherNd GatherV2 Greater GreaterEqual HashTableV2 Identity IdentityN IFFT IFFT2D Imag Inv
    Invert InvertPermutation IRFFT IRFFT2D IsFinite IsInf IsNan L2Loss LRN LeakyRelu LeftShift Less LessEqual Lgamma
    LinSpace ListDiff Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr LowerBound MatMul MatrixBandPart MatrixDiag
    MatrixDiagV2 MatrixDiagV3 MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixSetDiag MatrixSetDiagV2
    MatrixSetDiagV3 Max MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax Maximum Mean Min Minimum MirrorPad Mod Mul
    MulNoNan Multinomial Neg NextAfter NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4
    NonMaxSuppressionV5 NotEqual OneHot OnesLike Pack Pad PadV2 ParallelConcat ParallelDynamicStitch Placeholder
    PlaceholderWithDefault Pow PreventGradient Prod QuantizeAndDequantize QuantizeAndDequantizeV2
    QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 RandomStandardNormal RandomUniform RandomUniformInt RaggedRange
    Range Rank Real RealDiv Reciprocal Relu Relu6 Reshape ResizeBilinear ResizeBicubic ResizeNearestNeighbor
    ReverseSequence ReverseV2 RFFT RFFT2D RightShift Rint Roll Round Rsqrt ScatterNd SegmentMax SegmentMean SegmentMin
    SegmentProd SegmentSum Select SelectV2 Selu Shape ShapeN Sigmoid Sign Sin Sinh Size Slice Snapshot Softmax
    Softplus Softsign SpaceToBatch SpaceToBatchND SpaceToDepth SparseToDense Split SplitV Sqrt Square
    SquaredDifference Squeeze StatelessMultinomial StatelessRandomGetAlg StatelessRandomGetKeyCounter
    StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomUniform StatelessRandomUniformV2
    StatelessTruncatedNormal StatelessTruncatedNormalV2 StaticRegexFullMatch StopGradient StridedSlice StringJoin Sub
    Sum Svd Tan Tanh TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate Tile TopK
    TopKV2 Transpose TruncateDiv TruncateMod TruncatedNormal Unique UniqueV2 Unpack UnravelIndex UnsortedSegmentMax
    UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum UpperBound Where Xdivy Xlog1py Xlogy ZerosLike
    """
)

HOLDS = words(
    """
    AssignAddVariableOp AssignSubVariableOp AssignVariableOp DestroyResourceOp DisableCopyOnRead Assign
    IsVariableInitialized ReadVariableOp RefEnter ResourceGather ResourceGatherNd ResourceScatterAdd
    ResourceScatterNdUpdate ResourceScatterUpdate ResourceStridedSliceAssign VarHandleOp VarIsInitializedOp Variable
    VariableShape VariableV2 LookupTableFindV2 LookupTableImportV2 LookupTableSizeV2 TensorListConcatV2
    TensorListElementShape TensorListFromTensor TensorListGather TensorListGetItem TensorListLength TensorListPopBack
    TensorListPushBack TensorListReserve TensorListResize TensorListScatterV2 TensorListSetItem TensorListSplit
    TensorListStack TensorArrayV3 TensorArrayReadV3 TensorArrayWriteV3 TensorArrayGatherV3 TensorArrayScatterV3
    TensorArraySizeV3 TensorArrayCloseV3
    """
)
"""Variables, tables and lists in memory."""

CALLS = words(
    """
    Case ControlTrigger Enter Exit If LoopCond Merge NextIteration NoOp PartitionedCall StatefulPartitionedCall
    StatelessCase StatelessIf StatelessWhile Switch SymbolicGradient While
    """
)
"""Control flow, and calls of functions of the same file, whose ops are looked through as well."""

RESTORES = frozenset({"RestoreV2"})
"""Reads a checkpoint: the saver's function may, for which the loader names the file."""

SAVES = frozenset({"MergeV2Checkpoints", "SaveV2", "ShardedFilename"})
"""Every SavedModel carries a function that would save it again. Only its saver may call that, which we never do."""

ALLOWED = COMPUTES | HOLDS | CALLS | RESTORES
